import Foundation

/// A database's address without secrets, or `***` if the secret part is unknown.
func shownURL(_ url: String) -> String {
    if url.hasPrefix("sqlite:") || url.isEmpty { return url }
    return AddressDisplay.postgres(url)
}

/// An HTTP address without its user and password.
func shownAddress(_ url: String) -> String {
    guard var parts = URLComponents(string: url), parts.host != nil else { return "***" }
    (parts.user, parts.password) = (nil, nil)
    return parts.string ?? "***"
}

/// The broker's address, or `***` if it seems to contain credentials.
func shownBroker(_ address: String) -> String {
    address.hasPrefix("embedded:") || !address.contains("@") ? address : "***"
}
