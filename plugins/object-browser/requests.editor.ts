/** What is asked of the runtime, and what it took. */

/** Requests to the store and bytes of objects that came back. */
export interface Asked {
  requests: number;
  bytes: number;
}

/** A refusal of the runtime: its code, and what happened as a sentence. */
export interface Failure {
  code: string;
  message: string;
}

/** The chosen settings nodes, by id; the layout may be none. */
export interface Where {
  connection: string;
  layout: string;
}

export type Parameters = Record<string, string | number | undefined>;

export interface Requests {
  /** Fails with a {@link Failure}. */
  ask<T>(where: Where, question: string, parameters?: Parameters): Promise<T & { asked: Asked }>;
}

/**
 * @param onAsked is told what each question took, failed ones too
 * @param texts for what comes without words of its own, by status
 */
export function createRequests(
  onAsked: (asked: Asked) => void,
  texts: (status: number) => Failure,
): Requests {
  return {
    async ask<T>({ connection, layout }: Where, question: string, parameters: Parameters = {}) {
      const given: Parameters = { ...parameters, layout };
      const query = Object.entries(given)
        .flatMap(([name, value = '']) => (value === '' ? [] : [`${name}=${encodeURIComponent(value)}`]))
        .join('&');
      const path = `s3-batch/browse/${encodeURIComponent(connection)}/${question}?${query}`;
      return new Promise<T & { asked: Asked }>((resolve, reject) => {
        $.ajax({ url: path, dataType: 'json', cache: true })
          .done((answer: T & { asked: Asked }) => {
            onAsked(answer.asked);
            resolve(answer);
          })
          .fail(({ status, responseJSON }) => {
            const told = responseJSON as (Failure & { asked?: Asked }) | undefined;
            if (told?.asked) onAsked(told.asked);
            const { code, message } = told?.code ? told : texts(status);
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- it is for people only
            reject({ code, message } satisfies Failure);
          });
      });
    },
  };
}

export function isFailure(error: unknown): error is Failure {
  return typeof error === 'object' && error !== null && 'code' in error && 'message' in error;
}
