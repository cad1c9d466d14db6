// A client of the GDB server over TCP, for tests: `gdb_raw_client.ts PORT PACKET…` sends packets and prints the answers.
// `monitor WORDS` asks that, `!noise` sends bytes that are no packet, `leave` goes at once.

import { bytesOfHex, encodePacket, hexOfText, PacketReader } from "../runtime/host/gdb/packets.ts";

const [port, ...commands] = Deno.args;
const line = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
const reader = new PacketReader();

async function* packets(): AsyncGenerator<string> {
  for await (const bytes of line.readable) {
    for (const received of reader.take(bytes)) if (received.kind === "packet") yield received.text;
  }
}

const received = packets();

/** The next answer; texts on the way to it are put together. */
async function answer(): Promise<string> {
  for (let shown = "";;) {
    const { value, done } = await received.next();
    if (done) return `${shown}(closed)`;
    if (!/^O[0-9a-f]{2}/.test(value)) return shown === "" ? value : shown.trim().replaceAll(/\s+/g, " ");
    shown += new TextDecoder().decode(bytesOfHex(value.slice(1)));
  }
}

for (const [i, command] of commands.entries()) {
  if (command === "leave") Deno.exit(0);
  if (command === "!noise") {
    await line.write(Uint8Array.from({ length: 5000 }, (_, at) => (at * 37) & 0xff));
    continue;
  }
  const monitor = /^monitor (.*)$/.exec(command);
  await line.write(encodePacket(monitor ? `qRcmd,${hexOfText(monitor[1])}` : command));
  // Whoever leaves next does not wait for a machine that runs.
  if (commands[i + 1] === "leave" && command.startsWith("vCont")) continue;
  console.log(await answer());
}
Deno.exit(0);
