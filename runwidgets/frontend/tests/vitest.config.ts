import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { BUILD: JSON.stringify('test') },
  test: { environment: 'jsdom', include: ['*.test.ts'], testTimeout: 60_000 },
});
