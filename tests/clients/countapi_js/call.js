// Calls functions of the published client and prints what its users get.
// Argument: JSON, a list of [function, ...arguments]. Output: JSON, a list of {resolved} or {rejected}.
const { createRequire } = require("module");

const client = createRequire(`${process.cwd()}/package.json`)("countapi-js");

async function main() {
  const results = [];
  for (const [name, ...given] of JSON.parse(process.argv[2])) {
    results.push(
      await client[name](...given).then(
        (resolved) => ({ resolved }),
        (rejected) => ({ rejected: String(rejected) }),
      ),
    );
  }
  console.log(JSON.stringify(results));
}

main();
