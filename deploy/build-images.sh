#!/usr/bin/env bash
# Builds the images headgate-server, headgate-worker and headgate-emulator with any OCI builder.
#
#   deploy/build-images.sh [--dry-run] [server|worker|emulator ...]
#
# From the environment:
#   BUILDER        docker, podman, buildah, nerdctl; default docker
#   BASE_IMAGE     image with Python 3.11 or newer and pip, by its digest if you like (python:3.12-slim@sha256:...);
#                  default python:3.12-slim
#   TAG            tag of the images; default the version in pyproject.toml
#   PREFIX         goes before the names, such as registry.example.com/team/; default none
#   PIP_INDEX_URL  package index for the build; default pip's own
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

run() {
  printf '%q ' "$@"
  printf '\n'
  if [[ $dry_run == no ]]; then "$@"; fi
}

build() {
  local name=$1
  local -a command=("$builder")
  # The OCI format has no health checks; podman and buildah leave them out unless asked for Docker's.
  case ${builder##*/} in
    podman) command+=(build --format docker) ;;
    buildah) command+=(bud --format docker) ;;
    *) command+=(build) ;;
  esac
  command+=(--file "$name/Dockerfile" --tag "${prefix}headgate-$name:$tag" --build-arg "BASE_IMAGE=$base_image")
  if [[ -n ${PIP_INDEX_URL:-} ]]; then command+=(--build-arg PIP_INDEX_URL); fi
  run "${command[@]}" .
}

dry_run=no
names=()
for argument in "$@"; do
  case $argument in
    --dry-run) dry_run=yes ;;
    -h | --help) usage; exit 0 ;;
    server | worker | emulator) names+=("$argument") ;;
    *) printf 'build-images.sh: what is %q? See --help.\n' "$argument" >&2; exit 2 ;;
  esac
done
if [[ ${#names[@]} -eq 0 ]]; then names=(server worker emulator); fi

builder=${BUILDER:-docker}
base_image=${BASE_IMAGE:-python:3.12-slim}
prefix=${PREFIX:-}
tag=${TAG:-$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)}

for name in "${names[@]}"; do build "$name"; done
