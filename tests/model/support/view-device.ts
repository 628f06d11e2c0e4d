import { applyPage, type ConversationView, emptyView, expire, firstSeq, mergeHistory, viewOf } from '@nudge/client';
import type { HttpClient, Success } from '../../protocol/support/http.ts';
import type { Person } from '../../protocol/support/world.ts';

type Page = Success<'listEntries'>;
type Pulled = { readonly page: Page; readonly history: boolean };

/**
 * A device reduced to its state: a folded view, moved by pages that it asks for at any moment and takes over at any later one. What a
 * driver does about order and failures has its own model; here it is the fold against the real server that is tried.
 */
export class ViewDevice {
  readonly person: Person;
  readonly #http: HttpClient;
  readonly #conversationId: string;
  #underway: Pulled[] = [];
  view: ConversationView | undefined;

  constructor(http: HttpClient, person: Person, conversationId: string) {
    this.#http = http;
    this.person = person;
    this.#conversationId = conversationId;
  }

  /** The newest page; `undefined` for someone who may see nothing. */
  async fresh(limit: number): Promise<ConversationView | undefined> {
    const page = await this.#pull({ limit });
    return page === undefined ? undefined : viewOf(this.person.id, page);
  }

  /** Starts over from the newest page, as after `tooLong`. */
  async restart(limit: number): Promise<void> {
    this.#underway = [];
    this.view = await this.fresh(limit);
  }

  /** Asks for the next page, or for older history; it is taken over by {@link take}. */
  async ask(history: boolean, limit: number): Promise<void> {
    const { view } = this;
    if (view === undefined) return this.restart(limit);
    const query = history ? { before: firstSeq(view), min: view.cursor, limit } : { after: view.cursor, limit };
    const page = await this.#pull(query);
    if (page === undefined) {
      this.view = undefined;
      this.#underway = [];
    } else this.#underway.push({ page, history });
  }

  /** Takes over the page that has waited longest. */
  take(): boolean {
    const pulled = this.#underway.shift();
    if (pulled === undefined || this.view === undefined) return false;
    const { page, history } = pulled;
    if (!history && page.oldestSeq > this.view.cursor + 1) this.view = viewOf(this.person.id, page);
    else this.view = history ? mergeHistory(this.view, page) : applyPage(this.view, page);
    return true;
  }

  /** Takes over what is under way, pulls to the head, then the whole history before it, and lets what is over expire. */
  async settle(): Promise<void> {
    while (this.take());
    await this.restartUnlessSeen();
    for (let moved = true; moved && this.view !== undefined; ) {
      const before = this.view;
      await this.ask(false, 7);
      this.take();
      moved = this.view !== before;
    }
    while (this.view !== undefined && firstSeq(this.view) > Math.max(1, this.view.oldestSeq)) {
      const before = this.view;
      await this.ask(true, 9);
      this.take();
      if (this.view === before) throw new Error(`history before ${firstSeq(before)} did not continue the view`);
    }
    if (this.view !== undefined) this.view = expire(this.view, Date.now());
  }

  /** One who left and came back begins a new range; one who never looked begins from nothing. */
  async restartUnlessSeen(): Promise<void> {
    const page = await this.#pull({ limit: 1 });
    if (page === undefined) this.view = undefined;
    else if (this.view === undefined || this.view.cursor + 1 < page.oldestSeq) this.view = emptyView(this.person.id, page.oldestSeq - 1);
  }

  async #pull(query: Record<string, number>): Promise<Page | undefined> {
    const reply = await this.#http.call('listEntries', {
      token: this.person.token,
      params: { conversationId: this.#conversationId },
      query,
    });
    if (reply.status === 404) return void reply.refused('not_found');
    return reply.ok(200);
  }
}
