import Dionysus
import DionysusProducer

struct Account: Model {
    var id: Int
    var name: String
    var defaultCheckInTime: Int?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case id, name
        case defaultCheckInTime = "default_check_in_time"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    static let rentals = hasMany(Rental.self, by: .accountID)
}

struct Rental: Model {
    var id: Int
    var accountID: Int
    var name: String
    var price: ExactDecimal
    var bedrooms: Int
    var ownCheckInTime: Int?
    var canceledAt: Timestamp?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case id, name, price, bedrooms
        case accountID = "account_id"
        case ownCheckInTime = "own_check_in_time"
        case canceledAt = "canceled_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    static let account = belongsTo(Account.self, by: .accountID)
}

struct Booking: Model {
    var id: Int
    var rentalID: Int
    var startAt: Timestamp
    var basePrice: ExactDecimal
    var canceledAt: Timestamp?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case id
        case rentalID = "rental_id"
        case startAt = "start_at"
        case basePrice = "base_price"
        case canceledAt = "canceled_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    static let rental = belongsTo(Rental.self, by: .rentalID)
    static let fees = hasMany(BookingsFee.self, by: .bookingID)
}

struct BookingsFee: Model {
    var id: Int
    var bookingID: Int
    var name: String
    var amount: ExactDecimal
    var createdAt: Timestamp
    var updatedAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case id, name, amount
        case bookingID = "booking_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    static let booking = belongsTo(Booking.self, by: .bookingID)
}
