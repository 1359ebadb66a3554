import Foundation

/// Where a schema registry is, and how it is used.
public struct SchemaRegistrySettings: Sendable {
    /// The addresses, tried in this order: `http://host:port`, also with `user:password@` before the host.
    ///
    /// Default empty: there is no registry.
    public var urls: [String] = []
    /// The user for basic authentication, if the address has none.
    ///
    /// Default nil.
    public var user: String?
    /// The user's password.
    ///
    /// Default nil.
    public var password: String?
    /// The token for bearer authentication, in the place of user and password.
    ///
    /// Default nil.
    public var token: String?
    /// The cluster that a token is for, in Confluent's cloud.
    ///
    /// Default nil.
    public var logicalCluster: String?
    /// The identity pool that a token is for, in Confluent's cloud.
    ///
    /// Default nil.
    public var identityPoolID: String?
    /// A file with the authorities that the registry's certificate is verified with, as PEM.
    ///
    /// Default nil: the system's.
    public var caFile: String?
    /// A file with the certificate that the registry asks for, as PEM.
    ///
    /// Default nil.
    public var certificateFile: String?
    /// A file with the certificate's key, as PEM.
    ///
    /// Default nil.
    public var keyFile: String?
    /// How a producer's schemas come to be in the registry.
    ///
    /// Default ``SchemaRegistration/atFirstUse``.
    public var registration = SchemaRegistration.atFirstUse
    /// Which subject a schema is registered under.
    ///
    /// Default ``SubjectNameStrategy/topic``.
    public var subjects = SubjectNameStrategy.topic
    /// Where messages name their schema.
    ///
    /// Default ``SchemaIDPlacement/prefix``.
    public var idPlacement = SchemaIDPlacement.prefix
    /// Whether the registry takes schemas for the same that differ in the order of members and the like.
    ///
    /// Default false.
    public var normalizesSchemas = false
    /// How long to wait for an answer.
    ///
    /// Default 10 s.
    public var timeout = Duration.seconds(10)
    /// How often a request is sent again when the registry is away, to each of its addresses.
    ///
    /// Default 3.
    public var maxRetries = 3
    /// The longest pause before the first retry; it doubles with each.
    ///
    /// Default 1 s.
    public var retryDelay = Duration.seconds(1)
    /// The longest pause before any retry.
    ///
    /// Default 20 s.
    public var maxRetryDelay = Duration.seconds(20)
    /// How long the latest version of a subject counts as the latest.
    ///
    /// Default 60 s.
    public var latestLifetime = Duration.seconds(60)
    /// How many schemas are remembered.
    ///
    /// Default 1,000.
    public var cacheCapacity = 1_000

    /// Creates settings with their defaults.
    public init() {}

    /// Creates settings with an address.
    /// - Parameter url: The address, or several with commas between.
    public init(url: String) { urls = Self.urls(url) }

    /// The addresses of a text with commas between.
    /// - Parameter text: The text.
    /// - Returns: The addresses.
    package static func urls(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

/// How a producer's schemas come to be in the registry.
public enum SchemaRegistration: String, Sendable, CaseIterable {
    /// They are registered before they are first used.
    case atFirstUse = "first-use"
    /// They have to be there, as a deployment put them.
    case pushed
    /// Data is written with the latest version of its subject, whatever that is.
    case latest
}
