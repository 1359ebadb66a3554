/// A certificate that OpenSSL makes for a test; it is its own authority.
package struct TestCertificate: Sendable {
    /// The file of the certificate, for those who are to trust it, too.
    package let file: String
    /// The file of its key.
    package let key: String

    /// Makes one.
    /// - Parameters:
    ///   - directory: Where its files are put.
    package init(_ name: String, in directory: String, host: String = "localhost") async throws {
        file = "\(directory)/\(name).pem"
        key = "\(directory)/\(name).key"
        let arguments = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(host)", "-addext",
            "subjectAltName=DNS:\(host)", "-keyout", key, "-out", file,
        ]
        _ = await (try RunningProcess("openssl", arguments, environment: [:])).result()
    }
}
