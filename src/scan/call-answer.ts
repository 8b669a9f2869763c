/** An HTTP answer to a call of Twirp's. */
export interface CallAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
}

/** Answers the calls that are about one image. */
export interface CallHandler {
  /** `path`: below the address of the image's scan. Never rejects. */
  answer(path: string, body: Uint8Array, signal: AbortSignal): Promise<CallAnswer>;
}

export function success(body: Uint8Array): CallAnswer {
  return { status: 200, type: 'application/protobuf', body };
}

/** An error of Twirp's, in its JSON. Never `unavailable`, on which Trivy would try again for minutes. */
export function refusal(status: number, code: string, message: string): CallAnswer {
  return { status, type: 'application/json', body: Buffer.from(JSON.stringify({ code, msg: message })) };
}
