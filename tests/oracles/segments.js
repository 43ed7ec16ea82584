// Texts as a JSON list on stdin; for each, the segments that the two calculators count.
const { SegmentedMessage } = require('sms-segments-calculator');
const { split } = require('split-sms');

const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const counts = texts.map((text) => [new SegmentedMessage(text).segmentsCount, split(text).parts.length]);
process.stdout.write(JSON.stringify(counts));
