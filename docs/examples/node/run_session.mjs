// Drive Benchline from Node, with nothing but the protos:
//   npm ci && node run_session.mjs unix:/path/to/control.sock "Blink the on-board LED at 2 Hz"

import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [target, prompt] = process.argv.slice(2);
const protos = fileURLToPath(new URL("../../../proto", import.meta.url));
const definition = loader.loadSync(path.join(protos, "benchline/v1/session.proto"), {
  includeDirs: [protos],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});
const { SessionService } = grpc.loadPackageDefinition(definition).benchline.v1;
const sessions = new SessionService(target, grpc.credentials.createInsecure());

const call = (method, request) =>
  new Promise((resolve, reject) =>
    sessions[method](request, { deadline: Date.now() + 10_000 }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    ),
  );

try {
  const { session } = await call("CreateSession", {
    request_id: randomUUID(),
    prompt,
    until: "STAGE_SIMULATE",
  });
  const watch = sessions.WatchSession({ name: session.name, from_sequence: 1 });
  for await (const { events } of watch) {
    for (const event of events) console.log(event.sequence, event.fact);
  }
  const done = (await call("GetSession", { name: session.name })).session;
  console.log(`${done.outcome}: ${done.message}`);
  process.exitCode = done.outcome === "OUTCOME_PASSED" ? 0 : 1;
} catch (error) {
  console.error(error.details ?? error.message);
  process.exitCode = 1;
} finally {
  sessions.close();
}
