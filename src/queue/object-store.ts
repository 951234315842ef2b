import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { AwsV4Signer } from "aws4fetch";
import { EvaluationError, InvalidOptionError, LandscapeError } from "../base/errors.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";
import {
  type ContentStore,
  checkContent,
  checkSame,
  openFolderStore,
  type StoredContent,
  tamperedError,
  writeHashed,
} from "./content-store.js";

/**
 * Opens the store that a name says: `s3://bucket/folder` is one of objects, everything else a folder.
 *
 * @throws {@link InvalidOptionError} if it cannot be used.
 */
export function openStore(name: string): Promise<ContentStore> {
  return name.startsWith("s3://") ? openObjectStore(name) : openFolderStore(name);
}

/** Where an S3-compatible store is, and who asks. */
interface ObjectStorePlace {
  /** Address of the folder of objects, without a slash at its end. */
  readonly address: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** S3 takes no more in one request. */
const MOST_BYTES = 5 * 2 ** 30;
const TRIES = 5;
/** Milliseconds before the second try; twice as long before each further one. */
const PAUSE = 200;

/**
 * Returns the place that a name and the environment give: `s3://bucket/folder`, and the variables that AWS tools read.
 *
 * AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN where they are temporary), AWS_REGION (default
 * us-east-1), and AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL for a server that is not Amazon's.
 *
 * @throws {@link InvalidOptionError} naming what is missing; never its value.
 */
export function objectStorePlace(name: string, environment: Environment = process.env): ObjectStorePlace {
  const where = `store ${name}`;
  const [, bucket = "", rest = ""] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[\w.=-]+)*)\/?$/.exec(name) ?? [];
  if (bucket === "" || rest.split("/").some((part) => part === "." || part === ".."))
    throw new InvalidOptionError("store", "s3://bucket or s3://bucket/folder", JSON.stringify(name));
  const needed = (variable: string): string => {
    const value = environment[variable];
    if (value !== undefined && /^[\x21-\x7e]+$/.test(value)) return value;
    const got = value === undefined || value === "" ? "none" : "one with blanks or other characters";
    throw new InvalidOptionError(where, `the variable ${variable}`, got, {
      hint: 'with the AWS command line: eval "$(aws configure export-credentials --format env)"',
    });
  };
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || "us-east-1";
  if (!/^[\w-]{1,64}$/.test(region))
    throw new InvalidOptionError(where, "a region in AWS_REGION", "another text");
  const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL;
  return {
    address: `${endpoint === undefined || endpoint === "" ? amazonAddress(bucket, region) : `${checkedEndpoint(endpoint, where)}/${bucket}`}${rest}`,
    region,
    accessKeyId: needed("AWS_ACCESS_KEY_ID"),
    secretAccessKey: needed("AWS_SECRET_ACCESS_KEY"),
    sessionToken: environment.AWS_SESSION_TOKEN || undefined,
  };
}

/** A bucket with a dot has no certificate as a host. */
function amazonAddress(bucket: string, region: string): string {
  const host = `s3.${region}.amazonaws.com`;
  return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
}

function checkedEndpoint(endpoint: string, where: string): string {
  const parsed = URL.canParse(endpoint) ? new URL(endpoint) : null;
  const isPlain = parsed?.username === "" && parsed.password === "" && parsed.search === "";
  if (parsed !== null && isPlain && /^https?:$/.test(parsed.protocol)) {
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
  }
  throw new InvalidOptionError(where, "http://host[:port] or https://… in AWS_ENDPOINT_URL", "another text");
}

/** What a server answered, in words that hold nothing of what was sent. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    const [, code = ""] = /<Code>(\w{1,64})<\/Code>/.exec(text) ?? [];
    super(`HTTP ${status}${code === "" ? "" : ` ${code}`}`);
    this.status = status;
  }
}

interface AskOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Makes the body anew for each try. */
  readonly body?: (() => Readable) | undefined;
}

/** Makes what sends signed requests, again where a server is busy or cannot be reached. */
function signedRequests(place: ObjectStorePlace, Signer: typeof AwsV4Signer) {
  const { address, ...how } = place;
  const once = async (method: string, digest: string, { headers, body }: AskOptions): Promise<Response> => {
    const url = `${address}/${digest.slice(0, 2)}/${digest}`;
    const signer = new Signer({
      ...how,
      service: "s3",
      method,
      url,
      headers: { ...headers },
    } as ConstructorParameters<typeof AwsV4Signer>[0]);
    const signed = await signer.sign();
    const response = await fetch(signed.url, {
      method,
      headers: signed.headers,
      redirect: "error",
      ...(body === undefined ? {} : { body: Readable.toWeb(body()), duplex: "half" }),
    } as unknown as RequestInit);
    if (response.ok) return response;
    const text = method === "HEAD" ? "" : (await response.text()).slice(0, 4096);
    throw new Refusal(response.status, text);
  };
  return async <T>(
    method: string,
    digest: string,
    options: AskOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> => {
    for (let tried = 1; ; tried++) {
      try {
        return await read(await once(method, digest, options));
      } catch (error) {
        // Neither a full disk nor what was tampered with is mended by another try.
        const isOwn = error instanceof LandscapeError;
        const isRefused = error instanceof Refusal && error.status < 500 && error.status !== 429;
        if (isOwn || isRefused || tried === TRIES) throw error;
        await sleep(PAUSE * 2 ** (tried - 1) * (0.5 + Math.random()));
      }
    }
  };
}

/** Says in words why a server cannot be asked; undici keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  return error instanceof Refusal ? message : (cause?.code ?? cause?.message ?? message);
}

/**
 * Opens a store of objects on an S3-compatible server: Amazon S3, MinIO, Ceph, R2, … Objects are named after their digest,
 * and checked by it when they are read; the server checks it when they are written. What is sent is signed by aws4fetch.
 *
 * @param name - "s3://bucket/folder"; the environment says the rest: see {@link objectStorePlace}.
 * @throws {@link InvalidOptionError} for a name that is none, or a variable that is missing.
 */
async function openObjectStore(name: string): Promise<ContentStore> {
  const place = objectStorePlace(name);
  const { AwsV4Signer: Signer } = await import("aws4fetch");
  const ask = signedRequests(place, Signer);
  const whereOf = (digest: string): string => `store ${name}: ${digest.slice(0, 12)}`;
  const failure = (digest: string, expected: string, error: unknown): Error => {
    if (error instanceof LandscapeError) return error;
    const hint =
      error instanceof Refusal && error.status === 403
        ? {
            hint: "do the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY allow it, and is AWS_REGION right?",
          }
        : {};
    return new EvaluationError(whereOf(digest), expected, reasonOf(error), hint);
  };
  /** null where it is not there, or where that may not be known. */
  const sizeOf = (digest: string): Promise<number | null> =>
    ask("HEAD", digest, {}, async ({ headers }) => Number(headers.get("content-length"))).catch(
      (error: unknown) => {
        // Without the right to list, Amazon does not tell "none" from "not yours": writing says which.
        if (error instanceof Refusal && [403, 404].includes(error.status)) return null;
        throw failure(digest, "a server that answers", error);
      },
    );
  return {
    async put(file) {
      const content = await digestOf(file);
      const { digest, bytes } = content;
      if (bytes > MOST_BYTES) {
        throw new EvaluationError(whereOf(digest), "at most 5 GiB in one object", `${bytes} bytes`, {
          hint: "a folder that all machines see takes files of any size",
        });
      }
      if ((await sizeOf(digest)) === bytes) return content;
      const headers = { "X-Amz-Content-Sha256": digest, "Content-Length": String(bytes) };
      const body = bytes === 0 ? undefined : () => createReadStream(file);
      await ask(
        "PUT",
        digest,
        { headers, body },
        async (response) => void (await response.arrayBuffer()),
      ).catch((error: unknown) => {
        throw failure(digest, "a server that takes it", error);
      });
      return content;
    },
    async fetch(content, file) {
      checkContent(content);
      const { digest } = content;
      try {
        await ask("GET", digest, {}, (response) =>
          explainingWrites(file, () => receive(response, content, file, whereOf(digest))),
        );
      } catch (error) {
        await rm(file, { force: true }).catch(() => undefined);
        if (error instanceof Refusal && error.status === 404)
          throw new EvaluationError(whereOf(digest), "its content", "none");
        throw failure(digest, "its content", error);
      }
    },
  };
}

async function digestOf(file: string): Promise<StoredContent> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { digest: hash.digest("hex"), bytes };
}

/** Writes a body into a new file; one that is longer than its content is left at that length. */
async function receive(
  response: Response,
  content: StoredContent,
  file: string,
  where: string,
): Promise<void> {
  await rm(file, { force: true });
  const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as never);
  const found = await writeHashed(body, file, (bytes) => {
    if (bytes > content.bytes) throw tamperedError(where, content, { digest: null, bytes });
  });
  checkSame(where, content, found);
}
