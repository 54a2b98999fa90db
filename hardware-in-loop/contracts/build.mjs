// Compiles src/*.sol to the artifacts the gateway ships: ABI, bytecode and the keccak of each source it is made of.
// Deterministic: one pinned compiler, fixed settings, no metadata hash, sorted keys. `--check` compares only.
import { readFileSync, writeFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { keccak256 } from "ethers";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "..", "gateway", "chain", "platforms", "abi");
const solc = createRequire(import.meta.url)("solc");
const SHIPPED = [
  "StorageVerification",
  "GridServices",
  "CapacityAggregation",
  "RevenueOptimization",
  "PerformanceAnalytics",
  "SmartMeter",
  "GridManagement",
  "MicrogridProduction",
  "MicrogridConsumption",
  "MicrogridBalancing",
  "MicrogridTrading",
  "DeviceRegistry",
  "GridBalance",
  "RewardSystem",
  "PullReader",
  "HardwareIdentity",
];

function load(path) {
  const file = path.startsWith("@") ? join(here, "node_modules", path) : join(here, path);
  if (!existsSync(file)) return { error: `${path} not found` };
  return { contents: readFileSync(file, "utf8") };
}

const sources = {};
for (const name of SHIPPED) sources[`src/${name}.sol`] = { content: load(`src/${name}.sol`).contents };

const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "cancun",
    viaIR: true,
    optimizer: { enabled: true, runs: 1000000 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["abi", "metadata", "evm.bytecode.object", "evm.methodIdentifiers"] } },
  },
};
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
const problems = (result.errors ?? []).filter((e) => e.severity !== "info");
for (const problem of problems) console.error(problem.formattedMessage);
if (problems.length) process.exit(1);

const sorted = (o) => Object.fromEntries(Object.keys(o).sort().map((k) => [k, o[k]]));
let stale = 0;
mkdirSync(out, { recursive: true });
for (const name of SHIPPED) {
  const made = result.contracts[`src/${name}.sol`][name];
  const used = Object.keys(JSON.parse(made.metadata).sources);
  const artifact = {
    contract: name,
    compiler: solc.version(),
    evm: input.settings.evmVersion,
    sources: Object.fromEntries(used.sort().map((path) => [path, keccak256(Buffer.from(load(path).contents))])),
    methods: sorted(made.evm.methodIdentifiers),
    abi: made.abi,
    bytecode: "0x" + made.evm.bytecode.object,
  };
  const text = JSON.stringify(artifact, null, 1) + "\n";
  const file = join(out, `${name}.json`);
  if (process.argv.includes("--check")) {
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      console.error(`${name}.json does not match the sources: run npm run build`);
      stale = 1;
    }
  } else writeFileSync(file, text);
}
process.exit(stale);
