import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { check } from './build/budget.mjs'
import { compress } from './build/compress.mjs'

/** After writing: hold the size limits, then write the compressed twins. */
function finish(): Plugin {
  return {
    name: 'vigie-finish',
    apply: 'build',
    writeBundle: {
      order: 'post',
      sequential: true,
      handler(options, bundle) {
        const folder = options.dir ?? 'dist'
        check(bundle, folder)
        compress(folder)
      },
    },
  }
}

// The basemap is JSON whatever its files are called; the server knows that type.
function assetName(names: string[]): string {
  return names.some((name) => name.endsWith('.topojson'))
    ? 'assets/[name]-[hash].json'
    : 'assets/[name]-[hash][extname]'
}

export default defineConfig({
  plugins: [react(), finish()],
  assetsInclude: ['**/*.topojson'],
  build: {
    target: 'es2022',
    // Written as it stands: light-dark() and color-mix() are in every browser we support.
    cssTarget: ['chrome125', 'firefox128', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    rollupOptions: { output: { assetFileNames: (asset) => assetName(asset.names) } },
  },
  worker: { format: 'es' },
  // Nothing here is a matter of seconds: a loaded machine may take its time.
  test: {
    environment: 'node',
    include: ['src/**/*.test.{ts,tsx}', 'build/**/*.test.mjs'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
