// Stands for a Stacks node and its API, which cannot run here: the HTTP paths that the gateway uses, over the
// simulator of @stacks/clarinet-sdk with the contracts in clarity/. Transactions are read and their signatures
// checked by @stacks/transactions. What it cannot do: forks, and reading the state of an older block (a `tip` is
// answered from the newest when it is first asked for). Under /people/ the people around the contracts act.
// Prints {"port", "deployer", "contracts"} when it is ready; ends with its standard input.
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { getSDK } from "@stacks/clarinet-sdk";
import { addressFromVersionHash, addressToString, Cl, deserializeTransaction } from "@stacks/transactions";

const CHAIN_ID = 0x80000000;
const DEPLOYER = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM";
const BURN = "ST000000000000000000002AMW42H";
const CONTRACTS = ["facility-verification", "record-chain", "capacity-tracking", "charge-discharge", "revenue-sharing", "grid-services"];

// Its blocks are 20 s apart however fast they are mined. They begin two hours ago, so as to stay behind the clock.
const Clock = globalThis.Date;
globalThis.Date = class extends Clock {
  constructor(...given) {
    super(...(given.length ? given : [Clock.now() - 7_200_000]));
  }
};
const simnet = await getSDK({ trackCosts: true, trackCoverage: false });
await simnet.initEmptySession({ enabled: false });
globalThis.Date = Clock;
simnet.setEpoch("3.1");
simnet.deployer = DEPLOYER;
simnet.mintSTX(DEPLOYER, 10n ** 15n);
for (const name of CONTRACTS)
  simnet.deployContract(name, readFileSync(new URL(`clarity/${name}.clar`, import.meta.url), "utf8"), { clarityVersion: 3 }, DEPLOYER);

const mempool = new Map(); // txid -> transaction
const mined = new Map(); // txid -> what the API says of it
const nonces = new Map();
const hash = (...parts) => createHash("sha512-256").update(parts.join("/")).digest("hex");
const height = () => simnet.stacksBlockHeight;
const times = [0]; // of blocks, by height
const block = (height) => ({
  canonical: true, height, hash: "0x" + hash("block", height), index_block_hash: "0x" + hash("index", height),
  block_time: times[height],
});
const balance = (address) => simnet.getAssetsMap().get("STX")?.get(address) ?? 0n;
const nonce = (address) => nonces.get(address) ?? 0;
const hex = (value) => "0x" + Cl.serialize(value);

function account(address) {
  return { balance: "0x" + balance(address).toString(16).padStart(32, "0"), locked: "0x" + "0".repeat(32), unlock_height: 0, nonce: nonce(address) };
}

function accept(raw) {
  const transaction = deserializeTransaction(raw);
  transaction.verifyOrigin();
  const condition = transaction.auth.spendingCondition;
  const sender = addressToString(addressFromVersionHash(26, condition.signer));
  const found = { id: "0x" + transaction.txid(), transaction, sender, nonce: Number(condition.nonce), fee: condition.fee, bytes: raw.length };
  const reject = (reason) => [400, { error: "transaction rejected", reason, txid: transaction.txid() }];
  if (transaction.chainId !== CHAIN_ID) return reject("BadTransactionVersion");
  if (found.nonce < nonce(sender)) return reject("BadNonce");
  if (found.nonce > nonce(sender) + 25) return reject("TooMuchChaining");
  if (found.fee < BigInt(raw.length)) return reject("FeeTooLow");
  if (balance(sender) < found.fee) return reject("NotEnoughFunds");
  for (const other of mempool.values()) {
    if (other.id === found.id || other.sender !== sender || other.nonce !== found.nonce) continue;
    if (other.fee >= found.fee) return reject("ConflictingNonceInMempool");
    mempool.delete(other.id);
    mined.set(other.id, { ...said(other), tx_status: "dropped_replace_by_fee" });
  }
  mempool.set(found.id, found);
  return [200, transaction.txid()];
}

const said = (t) => ({
  tx_id: t.id, nonce: t.nonce, sender_address: t.sender, fee_rate: t.fee.toString(), tx_status: "pending", tx_type: "contract_call",
});

function mine() {
  const ready = [];
  for (const t of [...mempool.values()].sort((a, b) => a.nonce - b.nonce))
    if (t.nonce === nonce(t.sender)) {
      ready.push(t);
      nonces.set(t.sender, t.nonce + 1);
    }
  const fees = ready.map((t) => ({ transferSTX: { amount: Number(t.fee), recipient: BURN, sender: t.sender } }));
  const calls = ready.map(({ transaction: { payload }, sender }) => ({
    callPublicFn: {
      contract: `${addressToString(payload.contractAddress)}.${payload.contractName.content}`,
      method: payload.functionName.content, args: payload.functionArgs, sender,
    },
  }));
  const results = simnet.mineBlock([...fees, ...calls]).slice(fees.length);
  ready.forEach((t, place) => {
    mempool.delete(t.id);
    const { result, events, costs } = results[place];
    // Post-conditions are the node's part: in deny mode nothing moves that they do not name. Ours name nothing.
    const moved = events.some((e) => /transfer|mint|burn/.test(e.event));
    const status = moved ? "abort_by_post_condition" : result.type === "ok" ? "success" : "abort_by_response";
    mined.set(t.id, {
      ...said(t), tx_status: status, tx_result: { hex: hex(result) }, block_height: height(), block_hash: block(height()).hash, canonical: true, microblock_canonical: true,
      execution_cost: costs?.total, bytes: t.bytes,
    });
  });
  if (!ready.length) simnet.mineEmptyStacksBlock();
  return { height: height(), transactions: ready.length };
}

// What a node spends on one question, unless its operator allows more.
const READ_LIMIT = { readLength: 100_000, readCount: 30, runtime: 1_000_000_000 };
// What was answered at a tip once is its answer, whoever asks: two operators of it must agree.
const answers = new Map();

function read(contract, method, { sender, arguments: given }, tip) {
  if (tip && ![...Array(height() + 1).keys()].some((h) => hash("index", h) === tip)) return [404, { error: "no such tip" }];
  const question = JSON.stringify([tip, contract, method, given]);
  if (tip && answers.has(question)) return answers.get(question);
  let found;
  try {
    const { result, costs } = simnet.callReadOnlyFn(contract, method, given.map(Cl.deserialize), sender);
    const { readLength, readCount, runtime } = costs.total;
    const dear = readLength > READ_LIMIT.readLength || readCount > READ_LIMIT.readCount || runtime > READ_LIMIT.runtime;
    found = [200, dear ? { okay: false, cause: "CostBalanceExceeded" } : { okay: true, result: hex(result) }];
  } catch (error) {
    found = [200, { okay: false, cause: String(error).slice(0, 200) }];
  }
  answers.set(question, found);
  return found;
}

const people = {
  mint: ({ to, amount }) => simnet.mintSTX(to, BigInt(amount)),
  mine,
  drop: ({ id }) => mempool.delete(id),
  mined: () => [...mined.values()],
  mempool: () => [...mempool.values()].map(said),
  time: () => Number(simnet.getBlockTime()),
  balance: ({ of }) => balance(of).toString(),
  call({ contract, function: method, arguments: given, sender }) {
    const { result, events } = simnet.callPublicFn(`${DEPLOYER}.${contract}`, method, given.map(Cl.deserialize), sender);
    return { result: hex(result), events: events.map((e) => e.event) };
  },
};

function answer(method, url, body) {
  const [, version, kind, ...rest] = url.pathname.split("/").map(decodeURIComponent);
  const path = `${method} /${version}/${kind}`;
  if (path === "GET /v2/info") return [200, { network_id: CHAIN_ID, stacks_tip_height: height() }];
  if (path === "GET /v2/accounts") return [200, account(rest[0])];
  if (path === "GET /v2/fees") return [200, 1];
  if (path === "POST /v2/transactions") return accept(new Uint8Array(body));
  if (path === "GET /v2/contracts") {
    const found = simnet.getContractsInterfaces().get(`${rest[1]}.${rest[2]}`);
    return found ? [200, found] : [404, { error: "no such contract" }];
  }
  if (path === "POST /v2/contracts") return read(`${rest[1]}.${rest[2]}`, rest[3], JSON.parse(body), url.searchParams.get("tip"));
  if (path === "GET /extended/v1") {
    const t = mempool.has(rest[1]) ? said(mempool.get(rest[1])) : mined.get(rest[1]);
    return t ? [200, t] : [404, { error: "could not find transaction by ID" }];
  }
  if (path === "GET /extended/v2" && rest.length === 1) return [200, { results: [block(height())] }];
  if (path === "GET /extended/v2") return Number(rest[1]) <= height() ? [200, block(Number(rest[1]))] : [404, { error: "no block" }];
  if (version === "people" && people[kind]) return [200, people[kind](JSON.parse(String(body) || "{}")) ?? null];
  return [404, { error: "no such path" }];
}

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    let found;
    try {
      while (times.length <= height()) times.push(Number(simnet.getBlockTime()));
      found = answer(request.method, new URL(request.url, "http://node"), Buffer.concat(parts));
    } catch (error) {
      found = [400, { error: String(error.stack ?? error).slice(0, 500) }];
    }
    response.writeHead(found[0], { "content-type": "application/json" });
    response.end(JSON.stringify(found[1]));
  });
});
server.listen(0, "127.0.0.1", () => {
  const contracts = Object.fromEntries(CONTRACTS.map((name) => [name, `${DEPLOYER}.${name}`]));
  console.log(JSON.stringify({ port: server.address().port, deployer: DEPLOYER, contracts }));
});
process.stdin.on("end", () => process.exit()).resume();
