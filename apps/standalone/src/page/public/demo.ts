import { part } from './dom.ts';
import { type DemoUser, Pane } from './pane.ts';

interface Demo {
  readonly conversationId: string;
  readonly users: readonly DemoUser[];
}

/** Panes there is room for. */
const MOST_PANES = 4;

const answer = await fetch('/demo/session.json');
if (!answer.ok) throw new Error(`no demo session: ${answer.status}`);
const demo = (await answer.json()) as Demo;
const template = part(document, '#pane', HTMLTemplateElement);
const stage = part(document, '#panes', HTMLElement);
const another = part(document, '#another', HTMLButtonElement);

async function add(user: DemoUser): Promise<void> {
  const pane = new Pane(template, demo.conversationId, user);
  stage.append(pane.element);
  another.disabled = stage.childElementCount >= MOST_PANES;
  await pane.connect();
}

const [first] = demo.users;
if (first !== undefined) {
  another.textContent = `Another device of ${first.id}`;
  another.addEventListener('click', () => {
    add(first).catch((error: unknown) => {
      another.textContent = String(error);
    });
  });
}
await Promise.all(demo.users.map(add));
