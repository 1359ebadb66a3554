import Crypto

import struct Foundation.Data

/// Checksums as phobos_db_checkpoint has them.
enum Digest {
    /// The MD5 of bytes, in hexadecimal digits; it identifies a payload and protects nothing.
    static func md5(_ bytes: [UInt8]?) -> String {
        let digits = Array("0123456789abcdef")
        return String(
            Insecure.MD5.hash(data: Data(bytes ?? [])).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        )
    }
}
