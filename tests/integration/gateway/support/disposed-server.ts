/**
 * A process that disposes of a gateway with a silent client per heartbeat profile, all probed at long intervals, and must then end by itself.
 */
import { startBareGateway } from './bare-gateway.ts';
import { RawSocket } from './raw-socket.ts';

const { gateway, http, port } = await startBareGateway();
const raws = await Promise.all(
  ['wifi', 'mobile', 'background'].map(async (hb) => {
    const raw = await RawSocket.open(port, `&hb=${hb}`);
    await raw.handshake(hb);
    return raw;
  }),
);
await gateway[Symbol.asyncDispose]();
http.close();
await Promise.all(raws.map((raw) => raw.closed()));
console.log(`disposed ${raws.length} closed ${raws.filter((raw) => raw.isClosed).length}`);
