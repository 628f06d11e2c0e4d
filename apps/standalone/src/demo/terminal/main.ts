import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environment, readStandaloneConfig } from '../../config.ts';
import type { DemoSession } from '../demo-session.ts';
import { Screen } from './screen.ts';
import { playStory } from './story.ts';

const path = process.argv[2] ?? join(readStandaloneConfig(environment).dataDir, 'demo.json');
const text = await readFile(path, 'utf8').catch((error: unknown) => {
  throw new Error(`${path} is not there: start the server first (npm start), or name its demo.json`, { cause: error });
});
const same = await playStory(JSON.parse(text) as DemoSession, new Screen(process.stdout));
if (!same) process.exitCode = 1;
