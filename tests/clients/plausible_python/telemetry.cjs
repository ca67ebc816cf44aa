// Tells a server what a program does with ``plausible-telemetry``. Arguments: its node_modules, the server's address.
// The package knows no other address than Plausible's; its requests are sent to the server instead.
const path = require("path")
const [packages, server] = process.argv.slice(2)
const crossFetch = require.resolve(path.join(packages, "cross-fetch"))
const fetched = require(crossFetch)
const statuses = []
require.cache[crossFetch].exports = {
  ...fetched,
  __esModule: true,
  default: async (url, options) => {
    const answer = await fetched.default(url.replace("https://plausible.io", server), options)
    statuses.push([answer.status, answer.headers.get("x-plausible-dropped")])
    return answer
  },
}
const {default: PlausibleTelemetry} = require(path.join(packages, "plausible-telemetry"))
const telemetry = new PlausibleTelemetry("stats.example.com", "mobile")
telemetry.record("started").then(() => telemetry.goal("feature used")).then(() => {
  process.stdout.write(JSON.stringify(statuses))
})
