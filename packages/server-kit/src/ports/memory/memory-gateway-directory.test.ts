import { gatewayDirectoryConformance, ManualClock } from '../../testing/index.ts';
import { MemoryGatewayDirectory } from './memory-gateway-directory.ts';

gatewayDirectoryConformance(() => {
  const clock = new ManualClock();
  return { directory: new MemoryGatewayDirectory({ clock }), advance: (ms) => clock.advance(ms) };
});
