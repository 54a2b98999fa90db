// Makes Stacks transactions as a stranger would, with @stacks/transactions and nothing of ours, to be compared
// byte for byte. Input (stdin): {secret, network, calls: [{contract, function, arguments, nonce, fee}]}, each
// argument as [type, value]; output: one JSON list of {raw, txid, arguments}.
import { readFileSync } from "node:fs";
import { Cl, makeContractCall, PostConditionMode } from "@stacks/transactions";

function value([type, v]) {
  switch (type) {
    case "int": return Cl.int(BigInt(v));
    case "uint": return Cl.uint(BigInt(v));
    case "bool": return Cl.bool(v);
    case "buffer": return Cl.bufferFromHex(v);
    case "principal": return Cl.principal(v);
    case "ascii": return Cl.stringAscii(v);
    case "utf8": return Cl.stringUtf8(v);
    case "none": return Cl.none();
    case "some": return Cl.some(value(v));
    case "ok": return Cl.ok(value(v));
    case "err": return Cl.error(value(v));
    case "list": return Cl.list(v.map(value));
    case "tuple": return Cl.tuple(Object.fromEntries(v.map(([name, field]) => [name, value(field)])));
  }
  throw new Error(`no type ${type}`);
}

const { secret, network, calls } = JSON.parse(readFileSync(0, "utf8"));
const made = [];
for (const call of calls) {
  const [contractAddress, contractName] = call.contract.split(".");
  const functionArgs = call.arguments.map(value);
  const transaction = await makeContractCall({
    contractAddress, contractName, functionName: call.function, functionArgs, senderKey: secret, network,
    nonce: BigInt(call.nonce), fee: BigInt(call.fee), postConditionMode: PostConditionMode.Deny,
  });
  made.push({ raw: transaction.serialize(), txid: transaction.txid(), arguments: functionArgs.map((a) => Cl.serialize(a)) });
}
console.log(JSON.stringify(made));
