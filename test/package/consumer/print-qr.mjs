// Preloaded into the README's bot: prints the text of each QR code, which a test can scan, beside the picture.
import qrcode from 'qrcode-terminal'

const { generate } = qrcode
qrcode.generate = (text, ...rest) => {
  process.stdout.write(`QR code: ${text}\n`)
  generate.call(qrcode, text, ...rest)
}
