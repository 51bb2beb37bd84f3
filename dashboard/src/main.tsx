import { createRoot } from 'react-dom/client'
import { App } from './app'
import { applyScheme } from './shell/scheme'
import { session } from './sites/session'
import { startWords } from './words'
import './shell/styles'

applyScheme()
const words = startWords()
void session.start()
const root = document.getElementById('root')
if (root) void words.finally(() => createRoot(root).render(<App />))
