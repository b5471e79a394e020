// A client made from the published descriptor set: submits a backfill, is refused a second one, and watches it over two
// streams.
"use strict";

const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [target, requestFile, descriptorFile] = process.argv.slice(2);
const options = { longs: String, enums: String, oneofs: true };
const definition = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptorFile), options);
const { headgate } = grpc.loadPackageDefinition(definition);
const credentials = grpc.credentials.createInsecure();
const backfills = new headgate.v1.BackfillService(target, credentials);
const jobs = new headgate.v1.JobService(target, credentials);

// proto-loader leaves out what it does not know, without a word: a misspelled validate_only would run the job.
function checked(type, value) {
  const fields = new Map(definition[type].type.field.map((field) => [field.name, field]));
  for (const [key, part] of Object.entries(value)) {
    const field = fields.get(key);
    if (!field) throw new Error(`${type} has no field ${key}`);
    const inner = field.type === "TYPE_MESSAGE" && resolved(field.typeName, type);
    if (inner) [part].flat().forEach((item) => checked(inner, item));
  }
  return value;
}

// The full name of a type that a field of `scope` names.
function resolved(name, scope) {
  const parts = scope.split(".");
  while (parts.length) {
    const full = [...parts, name].join(".");
    if (definition[full]) return full;
    parts.pop();
  }
  return definition[name] && name;
}

function createBackfill(request) {
  checked("headgate.v1.CreateBackfillRequest", request);
  return new Promise((resolve, reject) =>
    backfills.createBackfill(request, (error, job) => (error ? reject(error) : resolve(job))),
  );
}

async function submit() {
  const request = JSON.parse(fs.readFileSync(requestFile, "utf8"));
  const job = await createBackfill(request);
  console.log("created", job.name);
  try {
    await createBackfill({ ...request, request_id: "another" });
  } catch (error) {
    const raw = error.metadata.get("grpc-status-details-bin")[0].toString("latin1");
    console.log("refused", grpc.status[error.code] === "ALREADY_EXISTS" && /JOB_EXISTS/.exec(raw)[0]);
  }
  return job.name;
}

// Reads until `most` revisions were seen or the stream ends; says where to go on, or null at the end.
async function read(request, most) {
  const stream = jobs.watchJob(request);
  for await (const message of stream) {
    if (message.payload === "end") {
      console.log("end", message.end.reason.replace("STREAM_END_REASON_", ""));
      return null;
    }
    if (message.payload !== "event") continue;
    console.log("event", message.event.revision, message.event.state.replace("JOB_STATE_", ""));
    if (Number(message.revision) >= most) {
      stream.cancel();
      return { ...request, start_revision: Number(message.revision) + 1, incarnation: message.incarnation };
    }
  }
  throw new Error("the stream ended without saying why");
}

function checks() {
  for (const request of [{ validateOnly: true }, { spec: { projectId: "1" } }]) {
    try {
      checked("headgate.v1.CreateBackfillRequest", request);
    } catch (error) {
      console.log("unknown", error.message);
    }
  }
}

async function main() {
  checks();
  const name = await submit();
  const next = await read({ name, start_revision: 1 }, 3);
  await read(next, Infinity);
  backfills.close();
  jobs.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
