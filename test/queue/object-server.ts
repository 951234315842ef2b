import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server of objects does with the next requests, in turn. */
export type Trouble = "busy" | "cut" | "hang up";

/** An S3-compatible server in this process that checks signatures (version 4) and digests. */
export interface ObjectServer {
  readonly environment: Readonly<Record<string, string>>;
  /** By path: "/bucket/folder/ab/abcd…". */
  readonly objects: Map<string, Buffer>;
  /** Methods and statuses, in their order. */
  readonly log: string[];
  readonly troubles: Trouble[];
  close(): Promise<void>;
}

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION = "eu-test-1";

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** The signature that a request should have, by the words of Amazon's "Signature Version 4" page, without a library. */
function signatureOf(
  request: IncomingMessage,
  scope: string,
  names: readonly string[],
  secret: string,
): string {
  const url = new URL(request.url as string, "http://host");
  const headers = names.map(
    (name) => `${name}:${String(request.headers[name]).trim().replace(/\s+/g, " ")}\n`,
  );
  const canonical = [
    request.method,
    url.pathname,
    "",
    headers.join(""),
    names.join(";"),
    request.headers["x-amz-content-sha256"],
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const [date, region, service, last] = scope.split("/") as [string, string, string, string];
  const key = [region, service, last].reduce(hmac, hmac(`AWS4${secret}`, date));
  return hmac(key, text).toString("hex");
}

function isSigned(request: IncomingMessage): boolean {
  const [, id, scope, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    ) ?? [];
  if (id !== "AKIDEXAMPLE" || scope === undefined || names === undefined || signature === undefined)
    return false;
  const signed = names.split(";");
  const needed = ["host", "x-amz-content-sha256", "x-amz-date"];
  if (needed.some((name) => !signed.includes(name)) || !scope.endsWith(`/${REGION}/s3/aws4_request`))
    return false;
  const expected = signatureOf(request, scope, signed, SECRET);
  return timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
}

/** Starts one on a free port. */
export async function startObjectServer(): Promise<ObjectServer> {
  const objects = new Map<string, Buffer>();
  const log: string[] = [];
  const troubles: Trouble[] = [];
  const server: Server = createServer(async (request, response) => {
    const { method = "", url = "" } = request;
    const end = (
      status: number,
      body: string | Buffer = "",
      headers: Record<string, string | number> = {},
    ): void => {
      log.push(`${method} ${status}`);
      response.writeHead(status, headers).end(method === "HEAD" ? undefined : body);
    };
    const refuse = (status: number, code: string): void =>
      // Real servers tell what was signed, the key's id among it.
      end(status, `<Error><Code>${code}</Code><AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId></Error>`);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const trouble = troubles.shift();
    if (trouble === "busy") return refuse(503, "SlowDown");
    if (trouble === "hang up") return void request.socket.destroy();
    if (!isSigned(request)) return refuse(403, "SignatureDoesNotMatch");
    const found = objects.get(url);
    if (method === "PUT") {
      if (request.headers["content-length"] === undefined && body.length > 0)
        return refuse(411, "MissingContentLength");
      if (request.headers["x-amz-content-sha256"] !== sha256(body))
        return refuse(400, "XAmzContentSHA256Mismatch");
      objects.set(url, body);
      return end(200);
    }
    if (found === undefined) return refuse(404, "NoSuchKey");
    if (trouble === "cut") {
      response.writeHead(200, { "content-length": found.length });
      response.write(found.subarray(0, found.length >> 1), () => request.socket.destroy());
      return;
    }
    end(200, found, { "content-length": found.length });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    environment: {
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    },
    objects,
    log,
    troubles,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
