// The host's side of the mailbox: the 64 bytes through which an image is told to run an inference.
// The protocol is written down in targets/mailbox.ts; this file only moves its words.

import { mailboxBytes, mailboxFields, mailboxMagic, mailboxVersion } from "../../targets/mailbox.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Transport } from "./transport.ts";

/** Every field of the mailbox at one moment, as unsigned numbers. */
export type MailboxState = Readonly<Record<keyof typeof mailboxFields, number>>;

/** Reads and writes one mailbox in the memory of a machine. */
export class Mailbox {
  /** Address of the status word, which the image writes at every step. */
  readonly statusAddress: number;

  constructor(private readonly transport: Transport, private readonly address: number) {
    this.statusAddress = address + mailboxFields.status;
  }

  async read(): Promise<MailboxState> {
    const bytes = await this.transport.read(this.address, mailboxBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Object.fromEntries(
      Object.entries(mailboxFields).map(([name, offset]) => [name, view.getUint32(offset, true)]),
    ) as MailboxState;
  }

  /** Writes one of the words that belong to the host. */
  async write(field: "command" | "options" | "resume", value: number): Promise<void> {
    const word = new Uint8Array(4);
    new DataView(word.buffer).setUint32(0, value, true);
    await this.transport.write(this.address + mailboxFields[field], word);
  }
}

/** Throws {@link AttoflowError} unless this is a mailbox of the layout that we speak. */
export function checkMailbox(state: MailboxState, layers: number): void {
  if (state.magic !== mailboxMagic) {
    throw new AttoflowError(
      "the image says it is ready, but there is no mailbox where the manifest puts it",
      {
        hint: "The image and the manifest do not belong together; generate them again.",
      },
    );
  }
  if (state.version !== mailboxVersion || state.layerCount !== layers) {
    throw new AttoflowError(
      `the image has mailbox version ${state.version} and ${state.layerCount} layers, ` +
        `version ${mailboxVersion} and ${layers} layers are expected`,
      { hint: "The image and the manifest do not belong together; generate them again." },
    );
  }
}
