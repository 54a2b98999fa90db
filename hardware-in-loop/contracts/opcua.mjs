// A battery inverter as an OPC UA server, by an implementation that is not ours: node-opcua. Its battery has a
// little physics, its remote control a watchdog. Takes {port, folder, certificate, key, users, trust} as its one
// argument, prints {"url"} when it is ready, answers each JSON line of its standard input with one, and ends
// with it.
import { createInterface } from "node:readline";
import { OPCUAServer } from "node-opcua-server";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { DataType, Variant, VariantArrayType } from "node-opcua-variant";
import { DataValue } from "node-opcua-data-value";
import { StatusCodes } from "node-opcua-status-code";
import { AccessRestrictionsFlag } from "node-opcua-data-model";

const NAMESPACE = "urn:gridseal:test:ess";
const STEP_MS = 50;
const WATCHDOG_MS = 4000;
const options = JSON.parse(process.argv[2]);
const users = options.users ?? {};

const manager = new OPCUACertificateManager({
  rootFolder: options.folder, automaticallyAcceptUnknownCertificate: options.trust !== false,
});
await manager.initialize();
const server = new OPCUAServer({
  port: options.port, hostname: "127.0.0.1", serverCertificateManager: manager, certificateFile: options.certificate, privateKeyFile: options.key,
  buildInfo: { productName: "test inverter" }, allowAnonymous: Object.keys(users).length === 0,
  userManager: { isValidUser: (name, password) => users[name] === password },
  serverCapabilities: { minSupportedSampleRate: 20, maxSessions: 200 },
});
await server.initialize();

const space = server.engine.addressSpace;
space.registerNamespace("urn:of:somebody:else"); // so that ours has not the index one would guess
if (options.moved) space.registerNamespace("urn:of:a:third");
const own = space.registerNamespace(NAMESPACE);
const device = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Inverter" });

const state = { soc: 50, power: 0, mode: 0, order: 0, beat: 0, beatAt: 0, remote: true, frozen: false, writes: [], refuse: null };
const variables = {};

function shown(name, id, dataType, read) {
  const variable = own.addVariable({ componentOf: device, browseName: name, nodeId: id, dataType, minimumSamplingInterval: 20 });
  variables[name] = variable;
  variable.read = read;
  variable.type = DataType[dataType];
}

function taken(name, id, dataType, key, take) {
  const variable = variables[name] = own.addVariable({
    componentOf: device, browseName: name, nodeId: id, dataType, minimumSamplingInterval: 20,
    accessRestrictions: options.guarded ? AccessRestrictionsFlag.SigningRequired : undefined,
    value: {
      get: () => new Variant({ dataType: DataType[dataType], value: state[key] }),
      set: (variant) => {
        if (state.refuse) return StatusCodes[state.refuse];
        state.writes.push([name, variant.value]);
        state[key] = variant.value;
        take?.();
        return StatusCodes.Good;
      },
    },
  });
  // The library heeds these restrictions where a node is read, and not where it is written.
  variable.isUserWritable = (context) => !context.isAccessRestricted(variable);
}

shown("SoC", "s=Battery.SoC", "Double", () => state.soc);
shown("Voltage", "i=1002", "Float", () => 51.2);
shown("Power", "s=Battery.Power", "Double", () => state.power);
shown("Temperature", "g=09087e75-8e5e-499b-954f-f2a9603db28a", "Int16", () => 215);
shown("ChargeMax", "b=bm9kZQ==", "UInt32", () => 5000);
shown("Grid", "s=Grid.Power", "Int32", () => 300 + Math.round(state.power * 1000));
shown("Serial", "s=Info.Serial", "String", () => "SN-0042");
taken("Mode", "s=Control.Mode", "Int32", "mode", () => { state.beatAt = Date.now(); });
taken("Order", "s=Control.Power", "Double", "order");
taken("Beat", "s=Control.Watchdog", "UInt16", "beat", () => { state.beatAt = Date.now(); });
taken("Remote", "s=Control.Remote", "Boolean", "remote");
// Whatever a test puts there: any type and any status.
let hostile = new DataValue({ value: { dataType: DataType.Double, value: 1 } });
const lawless = own.addVariable({
  componentOf: device, browseName: "Hostile", nodeId: "s=Hostile", dataType: "BaseDataType", minimumSamplingInterval: 20,
  value: { timestamped_get: () => hostile },
});
lawless.verifyVariantCompatibility = () => {};

function step() {
  if (state.mode !== 0 && Date.now() - state.beatAt > WATCHDOG_MS) state.mode = 0;
  const target = state.mode === 2 ? state.order : 0; // kW, + = charging
  state.power += Math.max(-0.5, Math.min(0.5, target - state.power));
  state.soc = Math.max(0, Math.min(100, state.soc + state.power * STEP_MS / 36000));
  if (state.frozen) return;
  for (const v of Object.values(variables))
    if (v.read) v.setValueFromSource({ dataType: v.type, value: v.read() });
}
step();
setInterval(step, STEP_MS);

function halves(text) { // of 64 bits, as the library has them
  const whole = BigInt.asUintN(64, BigInt(text));
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
}

function put(said) {
  const arrayType = Array.isArray(said.value) ? VariantArrayType.Array : VariantArrayType.Scalar;
  const value = said.type.endsWith("Int64") && typeof said.value === "string" ? halves(said.value)
    : said.value === "NaN" ? NaN : said.value === "Infinity" ? Infinity : said.value;
  hostile = new DataValue({
    value: { dataType: DataType[said.type], value, arrayType }, statusCode: StatusCodes[said.status ?? "Good"], sourceTimestamp: new Date(),
  });
}

const commands = {
  put,
  freeze: (frozen) => { state.frozen = frozen; },
  set: (changes) => { Object.assign(state, changes); },
  state: () => ({ ...state, writes: state.writes.splice(0) }),
  trust: (trusted) => { manager.automaticallyAcceptUnknownCertificate = trusted; },
  sessions: () => ({ sessions: server.engine.currentSessionCount, subscriptions: server.engine.currentSubscriptionCount }),
};

await server.start();
console.log(JSON.stringify({ url: `opc.tcp://127.0.0.1:${options.port}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const [[verb, told]] = Object.entries(JSON.parse(line));
  try {
    console.log(JSON.stringify(commands[verb](told) ?? {}));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await server.shutdown(0);
process.exit(0);
