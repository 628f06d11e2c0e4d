import { type CpuSeconds, cpuSeconds, spent } from '../cpu.ts';
import type { ChatPlan, ChatResult } from '../load/chat.ts';
import type { LoadProcess } from '../load/load-process.ts';

/** A run of talk with what it cost the process `serverPid` and its database. */
export async function measuredTalk(load: LoadProcess, serverPid: number, plan: ChatPlan): Promise<{ result: ChatResult; cpu: CpuSeconds }> {
  const before = cpuSeconds(serverPid);
  const result = await load.run('talk', plan);
  return { result, cpu: spent(before, cpuSeconds(serverPid)) };
}
