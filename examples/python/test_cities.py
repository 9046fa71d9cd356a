import unittest

from cities import largest


class Largest(unittest.TestCase):
    def test_names_come_largest_first(self):
        self.assertEqual(largest(2), ["Lagos", "Lima"])

    def test_small_cities_are_not_in_the_image(self):
        self.assertNotIn("Porto", largest(100))


if __name__ == "__main__":
    unittest.main()
