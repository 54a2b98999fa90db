// Somebody else's OPC UA client, node-opcua, to compare ours with: what both say of one server must agree. Takes
// {url, mode, user, password, folder} as its one argument, prints {"open": true} when it has a session (or {"refused"}
// and ends), answers each JSON line of its standard input with one: {"read": [node ids]} or {"write": {node, type,
// value}}; ends with its input. Its certificate is made in the folder.
import { createInterface } from "node:readline";
import { MessageSecurityMode, OPCUAClient, SecurityPolicy, UserTokenType } from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { DataType, Variant, VariantArrayType } from "node-opcua-variant";
import { AttributeIds } from "node-opcua-data-model";

const NAMESPACE = "urn:gridseal:test:ess";
const MODES = { none: MessageSecurityMode.None, sign: MessageSecurityMode.Sign, encrypt: MessageSecurityMode.SignAndEncrypt };
const options = JSON.parse(process.argv[2]);
const secured = options.mode !== "none";

const manager = new OPCUACertificateManager({ rootFolder: options.folder, automaticallyAcceptUnknownCertificate: true });
await manager.initialize();
const client = OPCUAClient.create({
  applicationName: "other", endpointMustExist: false, requestedSessionTimeout: 30_000,
  securityMode: MODES[options.mode], securityPolicy: secured ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None,
  clientCertificateManager: manager, connectionStrategy: { maxRetry: 0 },
});

// What JSON has no number for, as text: 64 bits, and what is not finite.
function plain(type, value, array) {
  if (!array && (type === DataType.Int64 || type === DataType.UInt64)) {
    const whole = (BigInt(value[0] >>> 0) << 32n) | BigInt(value[1] >>> 0);
    return String(type === DataType.Int64 ? BigInt.asIntN(64, whole) : whole);
  }
  if (ArrayBuffer.isView(value)) return Array.from(value, String);
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function told(found) {
  const variant = found.value;
  const empty = variant === null || variant === undefined || variant.dataType === DataType.Null;
  const array = !empty && variant.arrayType !== VariantArrayType.Scalar;
  return {
    type: empty ? "" : (array ? "[]" : "") + DataType[variant.dataType],
    value: empty ? null : plain(variant.dataType, variant.value, array),
    status: found.statusCode.value,
    source_ms: found.sourceTimestamp ? found.sourceTimestamp.getTime() : null,
  };
}

let session, home;
// In our namespace if it names none.
const place = (node) => (node.startsWith("ns=") ? node : `ns=${home};${node}`);
const commands = {
  read: async (nodes) => (await session.read(nodes.map((node) => (
    { nodeId: place(node), attributeId: AttributeIds.Value })))).map(told),
  write: async ({ node, type, value }) => {
    const status = await session.write({
      nodeId: place(node), attributeId: AttributeIds.Value, value: { value: new Variant({ dataType: DataType[type], value }) },
    });
    return { status: status.name };
  },
};

try {
  await client.connect(options.url);
  session = await client.createSession(
    options.user ? { type: UserTokenType.UserName, userName: options.user, password: options.password } : undefined);
  home = (await session.readNamespaceArray()).indexOf(NAMESPACE);
  console.log(JSON.stringify({ open: true }));
} catch (error) {
  console.log(JSON.stringify({ refused: String(error.message).slice(0, 300) }));
  process.exit(0);
}
for await (const line of createInterface({ input: process.stdin })) {
  const [[verb, what]] = Object.entries(JSON.parse(line));
  try {
    console.log(JSON.stringify({ answer: await commands[verb](what) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await session.close();
await client.disconnect();
process.exit(0);
