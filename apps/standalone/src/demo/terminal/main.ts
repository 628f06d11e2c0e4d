import { Screen } from './screen.ts';
import { findDemoSession } from './session-file.ts';
import { playStory } from './story.ts';

try {
  const session = await findDemoSession(process.argv[2]);
  if (!(await playStory(session, new Screen(process.stdout)))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
