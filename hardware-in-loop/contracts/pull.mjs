// Asks a PullReader as its users would: ethers and viem, unmodified, follow OffchainLookup to the gateway by
// themselves (EIP-3668). Input (stdin): {rpc, reader, abi, calls: [[method, args]...]}; output: one JSON with
// what each client got for each call: the value, or the name of the contract's error.
import { readFileSync } from "node:fs";
import { Contract, JsonRpcProvider } from "ethers";
import { createPublicClient, http } from "viem";

const plain = (value) => {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return [...value].map(plain);
  if (value !== null && typeof value === "object") return Object.values(value).map(plain);
  return typeof value === "number" ? String(value) : value;
};

async function attempt(ask) {
  try {
    return { value: plain(await ask()) };
  } catch (error) {
    const reverted = error.walk?.((e) => e.data?.errorName)?.data?.errorName ?? error.revert?.name;
    return { error: reverted ?? "refused", message: String(error.shortMessage ?? error.message) };
  }
}

const { rpc, reader, abi, calls } = JSON.parse(readFileSync(0, "utf8"));
const provider = new JsonRpcProvider(rpc, undefined, { staticNetwork: true, batchMaxCount: 1 });
const contract = new Contract(reader, abi, provider);
const client = createPublicClient({ transport: http(rpc, { retryCount: 0 }) });

const found = { ethers: [], viem: [] };
for (const [functionName, args] of calls) {
  found.ethers.push(await attempt(() => contract[functionName](...args, { enableCcipRead: true })));
  found.viem.push(await attempt(() => client.readContract({ address: reader, abi, functionName, args })));
}
provider.destroy();
console.log(JSON.stringify(found));
