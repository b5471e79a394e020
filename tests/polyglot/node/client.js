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

function createBackfill(request) {
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

async function main() {
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
