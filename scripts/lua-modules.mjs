/** `node --import` this to run the sources with `.lua` files as text, as in the build. */
import { register } from 'node:module'

register('./lua-loader.mjs', import.meta.url)
