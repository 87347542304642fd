/** A program inside of a network namespace that does what it is told, one line of JSON each: it listens, and it asks. */

const dgram = require('node:dgram');
const net = require('node:net');
const readline = require('node:readline');

/** Every answer to a question tells who asked, so that a test sees which address it had. */
const told = (from) => `from ${from.address.replace('::ffff:', '')}`;

const commands = {
  async listen({ protocol, port, address }) {
    if (protocol === 'udp') {
      const socket = dgram.createSocket(address?.includes(':') ? 'udp6' : 'udp4');
      socket.on('message', (_, from) => socket.send(told(from), from.port, from.address));
      await new Promise((resolve, reject) => socket.once('error', reject).bind(port, address, resolve));
      return socket.address().port;
    }
    const server = net.createServer((connection) => {
      connection.on('error', () => {});
      connection.on('data', () => connection.write(told({ address: connection.remoteAddress })));
    });
    await new Promise((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
    return server.address().port;
  },

  /** What the other end says, or an errno's name, or `silence` after `patience` milliseconds. */
  async ask({ protocol, address, port, patience }) {
    if (protocol === 'udp') {
      const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
      const answer = await new Promise((resolve) => {
        socket.on('message', (message) => resolve(String(message)));
        socket.on('error', (error) => resolve(error.code));
        socket.connect(port, address, () => socket.send('who am I?'));
        setTimeout(resolve, patience, 'silence');
      });
      socket.close();
      return answer;
    }
    const socket = net.connect({ host: address, port });
    const answer = await new Promise((resolve) => {
      socket.on('connect', () => socket.write('who am I?'));
      socket.on('data', (data) => resolve(String(data)));
      socket.on('error', (error) => resolve(error.code));
      socket.on('end', () => resolve('the end'));
      setTimeout(resolve, patience, 'silence');
    });
    socket.destroy();
    return answer;
  },

  /** Open a connection and keep it. */
  async keep({ address, port }) {
    this.kept = net.connect({ host: address, port });
    this.kept.on('error', () => {});
    await new Promise((resolve, reject) => this.kept.once('connect', resolve).once('error', reject));
    return 'connected';
  },

  /** A client of UDP that keeps its port. */
  async openUdp({ address, port }) {
    this.udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve) => this.udp.connect(port, address, resolve));
    return 'open';
  },

  async speakUdp({ patience }) {
    const { udp } = this;
    udp.removeAllListeners('message').removeAllListeners('error');
    return new Promise((resolve) => {
      udp.on('message', (message) => resolve(String(message)));
      udp.on('error', (error) => resolve(error.code));
      udp.send('who am I?');
      setTimeout(resolve, patience, 'silence');
    });
  },

  /** Speak on the connection that is kept. */
  async speak({ patience }) {
    const { kept } = this;
    if (kept.destroyed) return 'closed';
    kept.write('who am I?');
    return new Promise((resolve) => {
      kept.once('data', (data) => resolve(String(data)));
      kept.once('close', () => resolve('closed'));
      setTimeout(resolve, patience, 'silence');
    });
  },
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, name, args } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await commands[name](args) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
});
