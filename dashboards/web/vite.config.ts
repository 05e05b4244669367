import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` shows the pages against a running console: CONSOLE_URL=http://127.0.0.1:PORT npm run dev
const console_url = process.env['CONSOLE_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1400,
    sourcemap: false,
  },
  server: { proxy: { '/api': { target: console_url, changeOrigin: true } } },
});
