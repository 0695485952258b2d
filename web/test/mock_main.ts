// node scripts/run.mjs test/mock_main.ts [PORT [BOTS]]: serves web/dist and a mock arena.
import { resolve } from "node:path";
import { MockServer } from "./mock_server";

const [port = "9000", bots = "50"] = process.argv.slice(2);
const page = resolve(process.cwd(), "dist");
const server = new MockServer({ port: Number(port), bots: Number(bots), page });
console.log(`http://127.0.0.1:${await server.start()}/`);
