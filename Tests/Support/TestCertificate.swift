/// A self-signed certificate that OpenSSL creates for a test.
package struct TestCertificate: Sendable {
    /// The certificate's file, also for clients that trust it.
    package let file: String
    /// The key's file.
    package let key: String

    /// Creates a certificate.
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
