import Crypto
import Dionysus

import struct Foundation.Data

/// Checksums as phobos_db_checkpoint has them.
enum Digest {
    /// The MD5 of bytes, in hexadecimal digits; it identifies a payload and protects nothing.
    static func md5(_ bytes: [UInt8]?) -> String {
        Insecure.MD5.hash(data: Data(bytes ?? [])).hexadecimal
    }
}
