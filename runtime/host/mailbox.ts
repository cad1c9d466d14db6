// The host's side of the mailbox: the 64 bytes through which an image is told to run an inference.
// The protocol is written down in targets/mailbox.ts; this file only moves its words.

import { AttoflowError } from "../../targets/errors.ts";
import {
  mailboxBytes,
  mailboxFields,
  mailboxMagic,
  mailboxStatus,
  mailboxVersion,
} from "../../targets/mailbox.ts";
import { describeAddress } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";
import type { Transport } from "./transport.ts";

/** Every field of the mailbox at one moment, as unsigned numbers. */
export type MailboxState = Readonly<Record<keyof typeof mailboxFields, number>>;

/** Reads and writes one mailbox in the memory of a machine. */
export class Mailbox {
  /** Address of the word that the image writes at every step. */
  readonly statusAddress: number;
  /** Address of the word that the image writes last of all when it is ready. */
  readonly magicAddress: number;

  constructor(private readonly transport: Transport, private readonly address: number) {
    this.statusAddress = address + mailboxFields.status;
    this.magicAddress = address + mailboxFields.magic;
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

/** Whether the image has come up. */
export function isReady({ magic, status }: MailboxState): boolean {
  return magic === mailboxMagic && status === mailboxStatus.ready;
}

/** Throws {@link AttoflowError} unless this is a mailbox of the layout that we speak. */
export function checkLayout({ version, layerCount }: MailboxState, layers: number): void {
  if (version === mailboxVersion && layerCount === layers) return;
  throw new AttoflowError(
    `the image has mailbox version ${version} and ${layerCount} layers, ` +
      `version ${mailboxVersion} and ${layers} layers are expected`,
    { hint: "The image and the manifest do not belong together; generate them again." },
  );
}

/** What the error words mean: which hart trapped where, and mcause. */
export function describeError({ error, errorAddress }: MailboxState, image: Image | undefined): string {
  const pc = `0x${errorAddress.toString(16).padStart(8, "0")}`;
  return `hart ${error >>> 24} trapped at ${pc} (${describeAddress(image, errorAddress)}), mcause ${
    error & 0xffff
  }`;
}
