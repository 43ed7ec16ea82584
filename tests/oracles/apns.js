// A push and where to, as JSON on stdin: node-apn sends it; what it reports of each device is the answer.
const apn = require('@parse/node-apn');

const { options, notification, device } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const provider = new apn.Provider({ ...options, production: false });
provider.send(Object.assign(new apn.Notification(), notification), device).then((result) => {
  process.stdout.write(JSON.stringify({ sent: result.sent.length, failed: result.failed }));
  provider.shutdown();
});
