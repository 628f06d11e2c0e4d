import { readFile } from 'node:fs/promises';
import type { DemoSession } from '../demo-session.ts';
import { Screen } from './screen.ts';
import { demoSessionFile } from './session-file.ts';
import { playStory } from './story.ts';

const path = process.argv[2] ?? (await demoSessionFile());
const text = await readFile(path, 'utf8').catch((error: unknown) => {
  throw new Error(`${path} is not there: start the server first (npm start or npm run cluster), or name its demo.json`, { cause: error });
});
const same = await playStory(JSON.parse(text) as DemoSession, new Screen(process.stdout));
if (!same) process.exitCode = 1;
