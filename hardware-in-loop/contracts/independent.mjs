// Checks records as a stranger would, with ethers and OpenZeppelin's own Merkle library and nothing of ours:
// the types below are typed from docs/attestation.md. Input (stdin): {records, readings} and what else the test
// vectors have; output: one JSON. P-256 signatures are for WebCrypto.
import { readFileSync } from "node:fs";
import { TypedDataEncoder, recoverAddress, solidityPackedKeccak256, getBytes, concat, id } from "ethers";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const T = (text) => text.split(",").map((field) => ({ type: field.trim().split(" ")[0], name: field.trim().split(" ")[1] }));
const TYPES = {
  interval: { Interval: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 start, uint64 end, uint32 count, bytes32 merkleRoot, uint64 charged, uint64 discharged, uint64 imported, uint64 exported, uint64 produced, uint64 consumed, uint16 soc, uint16 soh, uint32 available, uint32 frequency, uint32 voltage, uint8 clock, uint16 flags") },
  delivery: { Delivery: T("bytes32 site, uint64 sequence, bytes32 previous, bytes32 command, uint64 start, uint64 end, int64 requested, int64 delivered, int32 powerMin, int32 powerMax, int32 powerMean, uint32 response, uint32 error, uint16 available, uint32 curtailed, bytes32 curtailments, uint32 causes, uint8 outcome, uint32 count, bytes32 merkleRoot") },
  gap: { Gap: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 start, uint64 end, uint64 lost, uint8 cause") },
  setup: { Setup: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 at, bytes32 configuration, bytes32 profiles, string software") },
  rotation: { Rotation: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 at, address next, uint64 asset, bytes possession") },
  revocation: { Revocation: T("bytes32 site, uint64 sequence, bytes32 previous, uint64 at, uint8 reason") },
};
const POSSESSION = { Possession: T("address binder, uint64 asset, bytes32 site") };
const ENDORSEMENT = { Endorsement: T("bytes32 site, address key, uint64 at, bytes32 x, bytes32 y") };
const ORDER = { Order: T("bytes32 site, bytes32 id, string service, uint64 notBefore, uint64 notAfter, bool shared, int64[] values") };
const domainOf = (body) => ({ name: "Gridseal", version: "1", chainId: body.chain_id, verifyingContract: body.contract });
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
  const domain = domainOf(body);
  const message = { sequence: record.sequence, previous: record.previous, site: id(body.site) };
  for (const [name, value] of Object.entries(body))
    if (!["chain_id", "contract", "site"].includes(name)) message[plain(name)] = value;
  if (record.kind === "delivery") Object.assign(message, curtailed(body.curtailments));
  const digest = TypedDataEncoder.hash(domain, TYPES[record.kind], message);
  const found = { digest, signer: recoverAddress(digest, record.signature), matches: digest === record.digest };
  if (record.kind !== "rotation") return found;
  const consent = { binder: found.signer, asset: body.asset, site: message.site };
  return { ...found, consented: recoverAddress(TypedDataEncoder.hash(domain, POSSESSION, consent), body.possession) };
}

function possession({ binder, asset, signature }, domain, site) {
  const digest = TypedDataEncoder.hash(domain, POSSESSION, { binder, asset, site: id(site) });
  return { digest, signer: recoverAddress(digest, signature) };
}

async function endorsement({ body: text, signature }) {
  const body = JSON.parse(text);
  const message = { site: id(body.site), key: body.key, at: body.at_ms, x: body.x, y: body.y };
  const digest = TypedDataEncoder.hash(domainOf(body), ENDORSEMENT, message);
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("raw", getBytes(concat(["0x04", body.x, body.y])), curve, false, ["verify"]);
  const how = { name: "ECDSA", hash: "SHA-256" };
  return { digest, good: await crypto.subtle.verify(how, key, getBytes(signature), getBytes(digest)) };
}

function order({ text }, domain) {
  const said = JSON.parse(text);
  const message = { ...said, site: id(said.site), notBefore: said.not_before, notAfter: said.not_after };
  const digest = TypedDataEncoder.hash(domain, ORDER, message);
  return { digest, signer: recoverAddress(digest, said.signature) };
}

const input = JSON.parse(readFileSync(0, "utf8"));
const tree = StandardMerkleTree.of(input.readings, ["string", "uint64", "int64", "uint8"]);
const proofs = input.readings.map((reading) => tree.getProof(reading));
const theirs = (input.proofs ?? []).map((proof, i) =>
  StandardMerkleTree.verify(tree.root, ["string", "uint64", "int64", "uint8"], input.readings[i], proof));
const domain = domainOf(JSON.parse(input.records[0].body));
const alone = input.possession && {
  possession: possession(input.possession, domain, input.site),
  endorsement: await endorsement(input.endorsement),
  order: order(input.order, domain),
};
console.log(JSON.stringify({ records: input.records.map(check), root: tree.root, proofs, theirs, ...alone }));
