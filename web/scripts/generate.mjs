// Generates client/gen/ from proto/: protoc reads the schema, Buf's plugin writes TypeScript.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("..", import.meta.url));
const schema = fileURLToPath(new URL("../../proto", import.meta.url));
const output = `${web}client/gen`;

mkdirSync(output, { recursive: true });
try {
  execFileSync(
    "protoc",
    [
      `--plugin=protoc-gen-es=${web}node_modules/.bin/protoc-gen-es`,
      `--proto_path=${schema}`,
      `--es_out=${output}`,
      "--es_opt=target=ts",
      "ringcast/v1/envelope.proto",
      "ringcast/v1/arena.proto",
    ],
    { stdio: "inherit" },
  );
} catch (error) {
  if (error.code === "ENOENT") {
    console.error("protoc is missing: apt-get install protobuf-compiler");
  }
  process.exit(1);
}
