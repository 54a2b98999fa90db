// Checks records as a stranger would, with ethers and OpenZeppelin's own Merkle library and nothing of ours:
// the types below are typed from docs/attestation.md. Input (stdin): {records, readings}; output: one JSON.
import { readFileSync } from "node:fs";
import { TypedDataEncoder, recoverAddress, solidityPackedKeccak256, id } from "ethers";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const T = (text) => text.split(",").map((field) => ({ type: field.trim().split(" ")[0], name: field.trim().split(" ")[1] }));
const TYPES = {
  interval: { Interval: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 start, uint64 end, uint32 count, bytes32 merkleRoot, uint64 charged, uint64 discharged, uint64 imported, uint64 exported, uint64 produced, uint64 consumed, uint16 soc, uint16 soh, uint32 available, uint32 frequency, uint32 voltage, uint8 clock, uint16 flags") },
  delivery: { Delivery: T("bytes32 site, uint64 sequence, bytes32 previous, bytes32 command, uint64 start, uint64 end, int64 requested, int64 delivered, int32 powerMin, int32 powerMax, int32 powerMean, uint32 response, uint32 error, uint16 available, uint32 curtailed, bytes32 curtailments, uint32 causes, uint8 outcome, uint32 count, bytes32 merkleRoot") },
  gap: { Gap: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 start, uint64 end, uint64 lost, uint8 cause") },
};
// JSON field -> typed field, where they differ by more than the unit at the end.
const RENAMED = { command_id: "command", merkle_root: "merkleRoot", power_min_w: "powerMin", power_max_w: "powerMax", power_mean_w: "powerMean", error_mean_w: "error" };
const plain = (name) => RENAMED[name] ?? name.replace(/_(ms|wh|bp|mhz|mv|w)$/, "");

// What a delivery's list of [cause, ms] becomes in the struct: its hash, and the causes as bits.
const curtailed = (pairs) => ({
  curtailments: solidityPackedKeccak256(pairs.flatMap(() => ["uint8", "uint32"]), pairs.flat()),
  causes: pairs.reduce((bits, [cause]) => bits | (1 << cause), 0) >>> 0,
});

function check(record) {
  const body = JSON.parse(record.body);
  const domain = { name: "Gridseal", version: "1", chainId: body.chain_id, verifyingContract: body.contract };
  const message = { sequence: record.sequence, previous: record.previous, site: id(body.site) };
  for (const [name, value] of Object.entries(body))
    if (!["chain_id", "contract", "site"].includes(name)) message[plain(name)] = value;
  if (record.kind === "delivery") Object.assign(message, curtailed(body.curtailments));
  const digest = TypedDataEncoder.hash(domain, TYPES[record.kind], message);
  return { digest, signer: recoverAddress(digest, record.signature), matches: digest === record.digest };
}

const input = JSON.parse(readFileSync(0, "utf8"));
const tree = StandardMerkleTree.of(input.readings, ["string", "uint64", "int64", "uint8"]);
const proofs = input.readings.map((reading) => tree.getProof(reading));
const theirs = (input.proofs ?? []).map((proof, i) =>
  StandardMerkleTree.verify(tree.root, ["string", "uint64", "int64", "uint8"], input.readings[i], proof));
console.log(JSON.stringify({ records: input.records.map(check), root: tree.root, proofs, theirs }));
