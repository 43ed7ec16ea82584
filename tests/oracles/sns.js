// Messages of SNS and the certificate that signed them, as JSON on stdin; for each, whether AWS's validator takes it.
const https = require('https');
const { EventEmitter } = require('events');
const Validator = require('sns-validator');

const { certificate, messages } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
https.get = (_url, answer) => {
  const response = new EventEmitter();
  response.statusCode = 200;
  process.nextTick(() => {
    answer(response);
    response.emit('data', Buffer.from(certificate));
    response.emit('end');
  });
  return new EventEmitter();
};
const judge = (message) =>
  new Promise((resolve) => new Validator().validate(message, (error) => resolve(!error)));
Promise.all(messages.map(judge)).then((taken) => process.stdout.write(JSON.stringify(taken)));
