// What esbuild can see of a require, it would bundle.
module.exports = require('../../solutions/00-what-is-a-container/membership.ts');
