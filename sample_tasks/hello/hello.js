// Says hello from Node.js.
//
//     evalbox run sample_tasks/hello/hello.js
//     evalbox run sample_tasks/hello/hello.js Ada

const name = process.argv[2] ?? "world";
console.log(`Hello, ${name}, from Node.js ${process.versions.node}!`);
console.error(`I am user ${process.getuid()} in ${process.cwd()}.`);
