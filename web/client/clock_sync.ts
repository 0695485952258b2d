// The server's clock as seen from here. A ping and its pong give the offset between two clocks to
// within half of the round trip (RFC 5905, section 8, with one timestamp at the server); of the
// latest few exchanges the one with the shortest round trip errs least, so that one is believed.

interface Exchange {
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

export class ClockSync {
  readonly #exchanges: Exchange[] = [];
  readonly #exchangesMax: number;
  #best: Exchange | undefined;

  /** Believes the best of the latest `exchangesMax`: old ones go, since clocks drift. */
  constructor(exchangesMax = 8) {
    this.#exchangesMax = exchangesMax;
  }

  /** A pong came at `nowMs` for a ping sent at `sentMs` (local clock). */
  answered(sentMs: number, serverUnixMs: number, nowMs: number): void {
    const roundTripMs = nowMs - sentMs;
    if (!(roundTripMs >= 0)) return;
    this.#exchanges.push({ offsetMs: serverUnixMs - (sentMs + nowMs) / 2, roundTripMs });
    if (this.#exchanges.length > this.#exchangesMax) this.#exchanges.shift();
    this.#best = this.#exchanges.reduce((best, exchange) =>
      exchange.roundTripMs < best.roundTripMs ? exchange : best,
    );
  }

  /** The shortest recent round trip; undefined before the first exchange. */
  get roundTripMs(): number | undefined {
    return this.#best?.roundTripMs;
  }

  /** The server's unix time at `localMs`; undefined before the first exchange. */
  serverTimeMs(localMs: number): number | undefined {
    return this.#best === undefined ? undefined : localMs + this.#best.offsetMs;
  }
}
