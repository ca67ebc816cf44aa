// Tallystick, MIT. countapi.js for pages that import it: import countapi from "https://.../countapi.mjs"
import './countapi.js'
const countapi = window.countapi
export default countapi
export const {get, set, update, hit, info, create, stats, visits, event, ignore} = countapi
