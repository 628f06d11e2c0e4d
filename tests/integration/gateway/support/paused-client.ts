import { connect, type Socket } from 'node:net';

/** A client without a library, whose own memory is a kernel socket: it upgrades, says CONNECT and stops reading at its welcome. */
export function pausedClient(port: number, user: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    let said = false;
    const auth = Buffer.from(`40${JSON.stringify({ token: user, deviceId: 'd' })}`);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!said && text.includes('"sid"')) {
        said = true;
        socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | auth.length, 0, 0, 0, 0]), auth]));
      }
      if (text.includes('"welcome"')) {
        socket.removeAllListeners('data');
        socket.pause();
        resolve(socket);
      }
    });
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}
